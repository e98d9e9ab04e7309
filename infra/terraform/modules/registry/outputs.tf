output "cache" {
  description = "Where builds share layers, as docker knows it: an image, whose tag moves."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.cache.repository_id}/layers"
}

output "repository" {
  description = "The images' repository, as docker knows it: the image is <this>/xnovu."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.main.repository_id}"
}
