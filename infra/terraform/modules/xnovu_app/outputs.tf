output "alerts" {
  description = "Every alert there is, with its severity."
  value       = module.observability.alerts
}

output "current_worker_pool" {
  description = "Name of the pool that runs the current image."
  value       = local.current_worker_pool
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

output "secret_readers" {
  description = "Which secrets each part may read, by part."
  value = merge(
    {
      health   = module.health_identity.secret_ids
      listener = module.listener_identity.secret_ids
      status   = module.status_identity.secret_ids
      trigger  = module.trigger_identity.secret_ids
      worker   = module.worker_identity.secret_ids
    },
    local.by_function ? { autoscale = one(module.autoscale_identity).secret_ids } : {},
    local.by_webhook ? { webhook = one(module.webhook_identity).secret_ids } : {},
  )
}

output "service_accounts" {
  description = "Addresses of the parts' service accounts, by part."
  value = merge(
    {
      health   = module.health_identity.email
      listener = module.listener_identity.email
      status   = module.status_identity.email
      trigger  = module.trigger_identity.email
      worker   = module.worker_identity.email
    },
    local.by_function ? { autoscale = one(module.autoscale_identity).email, scheduler = google_service_account.scheduler[0].email } : {},
    local.by_temporal ? { invoker = google_service_account.invoker[0].email } : {},
    local.by_webhook ? { webhook = one(module.webhook_identity).email } : {},
  )
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
    deployment-name               = var.prefix
    build-id                      = substr(split("sha256:", var.image)[1], 0, 12)
    gcp-cloud-run-project         = var.project_id
    gcp-cloud-run-region          = var.region
    gcp-cloud-run-worker-pool     = local.current_worker_pool
    gcp-cloud-run-service-account = google_service_account.invoker[0].email
    gcp-cloud-run-min-instances   = var.worker_min_instances
    gcp-cloud-run-max-instances   = var.worker_max_instances
  } : null
}

output "worker_instances" {
  description = "How many workers Terraform knows of, by pool. No output of a root's: it would change whenever the scaler acts, and the plan would not be empty."
  value       = { for name, pool in module.worker : name => pool.instances }
}
