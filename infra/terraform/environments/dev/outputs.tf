output "alerts" {
  description = "Every alert there is, with its severity."
  value       = module.xnovu_app.alerts
}

output "current_worker_pool" {
  description = "Name of the pool that runs the current image."
  value       = module.xnovu_app.current_worker_pool
}

output "egress_address" {
  description = "The address from which everything goes out; null without static_egress_cidr."
  value       = module.xnovu_app.egress_address
}

output "functions" {
  description = "The functions by name: address, who may call it, and from where it can be reached."
  value       = module.xnovu_app.functions
}

output "service_accounts" {
  description = "Addresses of the parts' service accounts, by part."
  value       = module.xnovu_app.service_accounts
}

output "temporal_scaling" {
  description = "With autoscaler = temporal: arguments of `temporal worker deployment create-version` for the current build; null otherwise."
  value       = module.xnovu_app.temporal_scaling
}
