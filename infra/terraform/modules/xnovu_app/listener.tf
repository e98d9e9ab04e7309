# The listener: a row changes, a workflow starts. It holds no key of Novu's.

module "listener_identity" {
  source = "../identity"

  project_id   = var.project_id
  account_id   = local.listener_name
  display_name = "XNovu ${var.environment}: listener"
  secret_ids   = toset([for version in local.other_secrets : version.secret])
}

module "listener" {
  source = "../worker_pool"

  project_id            = var.project_id
  region                = var.region
  name                  = local.listener_name
  description           = "Turns row changes into workflow starts"
  image                 = var.image
  args                  = ["listener"]
  service_account_email = module.listener_identity.email
  instances             = var.listener_instances
  cpu                   = var.listener_size.cpu
  memory                = var.listener_size.memory
  deletion_protection   = local.protected
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "listener" })
  secrets               = local.other_secrets
  environment           = merge(local.connections, { OTEL_SERVICE_NAME = local.listener_name }, var.listener_settings)

  depends_on = [data.google_secret_manager_secret_version.main]
}
