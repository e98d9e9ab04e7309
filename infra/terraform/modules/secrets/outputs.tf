output "secret_ids" {
  description = "What the secrets are called in Secret Manager, by name."
  value       = { for name, secret in google_secret_manager_secret.main : name => secret.secret_id }
}

output "versions" {
  description = "The versions that Terraform has written, by name: what to put into secret_versions."
  value       = { for name, version in google_secret_manager_secret_version.main : name => version.version }
}
