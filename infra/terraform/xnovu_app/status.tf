# Status: for people.

module "status" {
  source = "../modules/function"

  project_id            = var.project_id
  region                = var.region
  name                  = "${local.prefix}-status"
  target                = "status"
  description           = "How the deployment is, in detail"
  image                 = var.image
  service_account_email = local.accounts.status
  ingress               = var.function_ingress
  invokers              = var.function_invokers
  cpu                   = var.function_size.cpu
  memory                = var.function_size.memory
  concurrency           = var.function_size.concurrency
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "status" })
  secrets               = local.other_secrets
  environment           = merge(local.functions, { OTEL_SERVICE_NAME = "${local.prefix}-status" })

  depends_on = [data.google_secret_manager_secret_version.main]
}
