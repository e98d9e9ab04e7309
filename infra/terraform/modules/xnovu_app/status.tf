# Status: for people.

module "status_identity" {
  source = "../identity"

  project_id   = var.project_id
  account_id   = "${var.prefix}-status"
  display_name = "XNovu ${var.environment}: status"
  secret_ids   = toset([for version in local.other_secrets : version.secret])
}

module "status" {
  source = "../function"

  project_id            = var.project_id
  region                = var.region
  name                  = "${var.prefix}-status"
  target                = "status"
  description           = "How the deployment is, in detail"
  image                 = var.image
  service_account_email = module.status_identity.email
  ingress               = var.function_ingress
  invokers              = var.function_invokers
  deletion_protection   = local.protected
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "status" })
  secrets               = local.other_secrets
  environment           = merge(local.functions, { OTEL_SERVICE_NAME = "${var.prefix}-status" })

  depends_on = [data.google_secret_manager_secret_version.main]
}
