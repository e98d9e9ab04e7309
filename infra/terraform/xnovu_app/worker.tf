# The workers: they render, call Novu and record. One pool, or with worker_versioning one for each build.

locals {
  worker_images = toset(concat([var.image], var.kept_worker_builds, var.worker_builds))

  worker_pools = var.worker_versioning ? {
    for image in local.worker_images :
    "${local.worker_name}-${substr(split("sha256:", image)[1], 0, 12)}" => image
  } : { (local.worker_name) = var.image }

  current_worker_pool = var.worker_versioning ? (
    "${local.worker_name}-${substr(split("sha256:", var.image)[1], 0, 12)}"
  ) : local.worker_name

  worker_settings = {
    NOTIFICATION_CLAIM_LEASE_SECONDS   = tostring(var.notification_claim_lease_seconds)
    NOVU_API_URL                       = var.novu_api_url
    OTEL_SERVICE_NAME                  = local.worker_name
    TEMPORAL_MAX_CONCURRENT_ACTIVITIES = tostring(var.worker_concurrency.activities)
    TEMPORAL_MAX_CONCURRENT_WORKFLOWS  = tostring(var.worker_concurrency.workflows)
    WORKER_SHUTDOWN_GRACE_SECONDS      = tostring(var.worker_shutdown_grace_seconds)
  }

  worker_environment = merge(
    { for name, value in local.connections : name => value if name != "DAEMON_ENTERPRISE_IDS" },
    local.worker_settings,
    # Of everybody the database says who is served.
    local.serves_everybody ? {} : { WORKER_ENTERPRISE_IDS = join(",", var.enterprise_ids) },
    local.by_webhook ? { NOVU_DELIVERY = "webhook" } : {},
    var.worker_versioning ? { TEMPORAL_WORKER_DEPLOYMENT_NAME = local.prefix } : {},
    var.worker_settings,
  )
}

module "worker" {
  source   = "../modules/worker_pool"
  for_each = local.worker_pools

  project_id            = var.project_id
  region                = var.region
  name                  = each.key
  description           = "Runs workflows, renders, calls Novu"
  image                 = each.value
  args                  = ["worker"]
  service_account_email = local.accounts.worker
  instances             = var.autoscaler == "fixed" ? var.worker_instances : null
  cpu                   = var.worker_size.cpu
  memory                = var.worker_size.memory
  vpc_access            = local.vpc_access
  labels                = merge(local.labels, { part = "worker" })
  secrets               = local.worker_secrets
  environment           = merge(local.worker_environment, { XNOVU_BUILD = split("@", each.value)[1] })

  depends_on = [data.google_secret_manager_secret_version.main]
}
