# Health: called by Google's uptime checks, and by whoever is named.

module "health_identity" {
  source = "../identity"

  project_id   = var.project_id
  account_id   = "${var.prefix}-health"
  display_name = "XNovu ${var.environment}: health"
  secret_ids   = toset([for version in local.other_secrets : version.secret])
}

module "health" {
  source = "../function"

  project_id            = var.project_id
  region                = var.region
  name                  = "${var.prefix}-health"
  target                = "health"
  description           = "How the deployment is"
  image                 = var.image
  service_account_email = module.health_identity.email
  ingress               = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invokers              = merge(var.health_invokers, { uptime_checks = local.uptime_checks })
  deletion_protection   = local.protected
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "health" })
  secrets               = local.other_secrets
  environment           = merge(local.functions, { OTEL_SERVICE_NAME = "${var.prefix}-health" })

  depends_on = [data.google_secret_manager_secret_version.main]
}

data "google_project" "main" {
  project_id = var.project_id
}

locals {
  # Cloud Monitoring's service agent, as which the uptime check signs in. bootstrap/ makes sure that there is one.
  uptime_checks = "serviceAccount:service-${data.google_project.main.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
}
