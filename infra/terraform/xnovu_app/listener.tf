# The listener: a row changes, a workflow starts. It holds no key of Novu's.

module "listener" {
  source = "../modules/worker_pool"

  project_id            = var.project_id
  region                = var.region
  name                  = local.listener_name
  description           = "Turns row changes into workflow starts"
  image                 = var.image
  args                  = ["listener"]
  service_account_email = local.accounts.listener
  instances             = var.listener_count
  cpu                   = var.listener_size.cpu
  memory                = var.listener_size.memory
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "listener" })
  secrets               = local.other_secrets
  environment           = merge(local.connections, { OTEL_SERVICE_NAME = local.listener_name }, var.listener_settings)

  depends_on = [data.google_secret_manager_secret_version.main]
}
