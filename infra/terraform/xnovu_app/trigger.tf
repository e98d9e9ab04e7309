# Trigger: for people and programs that send by HTTP.

module "trigger" {
  source = "../modules/function"

  project_id            = var.project_id
  region                = var.region
  name                  = "${local.prefix}-trigger"
  target                = "trigger"
  description           = "Sends and retracts by hand, and tells how that stands"
  image                 = var.image
  service_account_email = local.accounts.trigger
  ingress               = var.function_ingress
  invokers              = var.function_invokers
  cpu_always            = var.trigger_cpu_always
  max_instances         = var.trigger_max_instances
  cpu                   = var.function_size.cpu
  memory                = var.function_size.memory
  concurrency           = var.function_size.concurrency
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "trigger" })
  secrets               = local.other_secrets
  environment           = merge(local.functions, { OTEL_SERVICE_NAME = "${local.prefix}-trigger" })

  depends_on = [data.google_secret_manager_secret_version.main]
}
