# One service account for one part: it may send telemetry, and read the secrets it is given. Nothing else.

resource "google_service_account" "main" {
  project      = var.project_id
  account_id   = var.account_id
  display_name = var.display_name
}

resource "google_project_iam_member" "telemetry" {
  for_each = toset([
    "roles/serviceusage.serviceUsageConsumer",
    "roles/telemetry.metricsWriter",
    "roles/telemetry.tracesWriter",
  ])

  project = var.project_id
  role    = each.value
  member  = google_service_account.main.member
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = var.secret_ids

  project   = var.project_id
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.main.member
}
