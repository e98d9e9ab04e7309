# Health: called by Google's uptime checks, and by whoever is named.

module "health" {
  source = "../modules/function"

  project_id            = var.project_id
  region                = var.region
  name                  = "${local.prefix}-health"
  target                = "health"
  description           = "How the deployment is"
  image                 = var.image
  service_account_email = local.accounts.health
  ingress               = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invokers              = merge(var.health_invokers, { uptime_checks = local.uptime_checks })
  cpu                   = var.function_size.cpu
  memory                = var.function_size.memory
  concurrency           = var.function_size.concurrency
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "health" })
  secrets               = local.other_secrets
  environment           = merge(local.functions, { OTEL_SERVICE_NAME = "${local.prefix}-health" })

  depends_on = [data.google_secret_manager_secret_version.main]
}

data "google_project" "main" {
  project_id = var.project_id
}

locals {
  # Cloud Monitoring's service agent, as which the uptime check signs in. bootstrap/ makes sure that there is one.
  uptime_checks = "serviceAccount:service-${data.google_project.main.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
}
