# Trigger: for people and programs that send by HTTP.

module "trigger_identity" {
  source = "../identity"

  project_id   = var.project_id
  account_id   = "${var.prefix}-trigger"
  display_name = "XNovu ${var.environment}: trigger"
  secret_ids   = toset([for version in local.other_secrets : version.secret])
}

module "trigger" {
  source = "../function"

  project_id            = var.project_id
  region                = var.region
  name                  = "${var.prefix}-trigger"
  target                = "trigger"
  description           = "Sends and retracts by hand, and tells how that stands"
  image                 = var.image
  service_account_email = module.trigger_identity.email
  ingress               = var.function_ingress
  invokers              = var.function_invokers
  cpu_always            = var.trigger_cpu_always
  max_instances         = var.trigger_max_instances
  deletion_protection   = local.protected
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "trigger" })
  secrets               = local.other_secrets
  environment           = merge(local.functions, { OTEL_SERVICE_NAME = "${var.prefix}-trigger" })

  depends_on = [data.google_secret_manager_secret_version.main]
}
