output "environment_names" {
  description = "Names of the container's environment variables, secrets among them."
  value       = toset([for variable in google_cloud_run_v2_service.main.template[0].containers[0].env : variable.name])
}

output "image" {
  description = "The image it runs."
  value       = google_cloud_run_v2_service.main.template[0].containers[0].image
}

output "ingress" {
  description = "Who can reach it at all."
  value       = google_cloud_run_v2_service.main.ingress
}

output "invokers" {
  description = "Who may call it, by the bindings that there are."
  value = toset([
    for binding in concat(values(google_cloud_run_v2_service_iam_member.invoker), google_cloud_run_v2_service_iam_member.anybody) : binding.member
  ])
}

output "name" {
  description = "The service's name."
  value       = google_cloud_run_v2_service.main.name
}

output "secret_names" {
  description = "Names of the environment variables that are secrets."
  value = toset([
    for variable in google_cloud_run_v2_service.main.template[0].containers[0].env : variable.name
    if length(variable.value_source) > 0
  ])
}

output "uri" {
  description = "Its address, https://... . Known once its callers may call it."
  value       = google_cloud_run_v2_service.main.uri
  depends_on  = [google_cloud_run_v2_service_iam_member.invoker, google_cloud_run_v2_service_iam_member.anybody]
}
