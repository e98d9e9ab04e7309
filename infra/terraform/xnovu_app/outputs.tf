output "alerts" {
  description = "Every alert there is, with its severity."
  value       = module.observability.alerts
}

output "current_worker_pool" {
  description = "Name of the pool that runs the current image."
  value       = local.current_worker_pool
}

output "deploy_job" {
  description = "With a pool for each build: the Cloud Run job that gives the current one the work, by its full name; null otherwise."
  value       = one([for job in google_cloud_run_v2_job.deploy : "projects/${var.project_id}/locations/${var.region}/jobs/${job.name}"])
}

output "egress_address" {
  description = "The address from which everything goes out; null without static_egress_cidr."
  value       = one(module.network[*].address)
}

output "functions" {
  description = "The functions by name: address, who may call it, and from where it can be reached."
  value = {
    for name, function in merge(
      { health = module.health, status = module.status, trigger = module.trigger },
      local.by_function ? { autoscale = one(module.autoscale) } : {},
      local.by_webhook ? { webhook = one(module.webhook) } : {},
    ) : name => { uri = function.uri, invokers = function.invokers, ingress = function.ingress }
  }
}

output "images" {
  description = "The image of each part, by name."
  value = merge(
    { listener = module.listener.image, health = module.health.image, status = module.status.image, trigger = module.trigger.image },
    { for name, pool in module.worker : name => pool.image },
    local.by_function ? { autoscale = one(module.autoscale).image } : {},
    local.by_webhook ? { webhook = one(module.webhook).image } : {},
  )
}

output "scaled_pools" {
  description = "Full names of the worker pools whose number of instances a scaler sets."
  value       = [for name, pool in module.worker : "projects/${var.project_id}/locations/${var.region}/workerPools/${name}" if var.autoscaler != "fixed"]
}

output "service_accounts" {
  description = "Addresses of the parts' service accounts, by part."
  value       = local.accounts
}

output "settings" {
  description = "Names of the environment variables of each part, secrets among them."
  value = merge(
    {
      health   = module.health.environment_names
      listener = module.listener.environment_names
      status   = module.status.environment_names
      trigger  = module.trigger.environment_names
    },
    { for name, pool in module.worker : name => pool.environment_names },
    local.by_function ? { autoscale = one(module.autoscale).environment_names } : {},
    local.by_webhook ? { webhook = one(module.webhook).environment_names } : {},
  )
}

output "temporal_scaling" {
  description = "With autoscaler = temporal: arguments of `temporal worker deployment create-version` for the current build; null otherwise."
  value = local.by_temporal ? {
    deployment-name               = local.prefix
    build-id                      = substr(split("sha256:", var.image)[1], 0, 12)
    gcp-cloud-run-project         = var.project_id
    gcp-cloud-run-region          = var.region
    gcp-cloud-run-worker-pool     = local.current_worker_pool
    gcp-cloud-run-service-account = local.accounts.invoker
    gcp-cloud-run-min-instances   = var.worker_min_instances
    gcp-cloud-run-max-instances   = var.worker_max_instances
  } : null
}

output "worker_builds" {
  description = "With a pool for each build: by the full names of the pools their images, whether they run the current one, and whether their last instance goes once they have no work. Empty otherwise."
  value = var.worker_versioning ? {
    for name, pool in module.worker : "projects/${var.project_id}/locations/${var.region}/workerPools/${name}" => {
      image      = pool.image
      is_current = name == local.current_worker_pool
      empties    = local.by_function
    }
  } : {}
}
