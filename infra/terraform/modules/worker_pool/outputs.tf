output "environment_names" {
  description = "Names of the container's environment variables, secrets among them."
  value       = toset([for variable in local.main.template[0].containers[0].env : variable.name])
}

output "id" {
  description = "The pool's full name, projects/P/locations/L/workerPools/N."
  value       = local.main.id
}

output "image" {
  description = "The image it runs."
  value       = local.main.template[0].containers[0].image
}

output "instances" {
  description = "How many instances Terraform knows of."
  value       = local.main.scaling[0].manual_instance_count
}

output "name" {
  description = "The pool's name."
  value       = local.main.name
}

output "secret_names" {
  description = "Names of the environment variables that are secrets."
  value = toset([
    for variable in local.main.template[0].containers[0].env : variable.name if length(variable.value_source) > 0
  ])
}
