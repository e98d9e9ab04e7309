# dashboard.json is made of dashboard.yaml by `make observability`.

resource "google_monitoring_dashboard" "main" {
  project        = var.project_id
  dashboard_json = replace(templatefile("${path.module}/dashboard.json", local.names), local.ours, local.with_job)
}
