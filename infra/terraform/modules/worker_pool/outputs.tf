output "environment_names" {
  description = "Names of the container's environment variables, secrets among them."
  value       = toset([for variable in google_cloud_run_v2_worker_pool.main.template[0].containers[0].env : variable.name])
}

output "id" {
  description = "The pool's full name, projects/P/locations/L/workerPools/N."
  value       = google_cloud_run_v2_worker_pool.main.id
}

output "image" {
  description = "The image it runs."
  value       = google_cloud_run_v2_worker_pool.main.template[0].containers[0].image
}

output "instances" {
  description = "How many instances Terraform knows of."
  value       = one(google_cloud_run_v2_worker_pool.main.scaling[*].manual_instance_count)
}

output "name" {
  description = "The pool's name."
  value       = google_cloud_run_v2_worker_pool.main.name
}

output "secret_names" {
  description = "Names of the environment variables that are secrets."
  value = toset([
    for variable in google_cloud_run_v2_worker_pool.main.template[0].containers[0].env : variable.name if length(variable.value_source) > 0
  ])
}
