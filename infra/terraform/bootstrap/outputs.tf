output "image_repository" {
  description = "Where images are, as docker knows it: the image is <this>/xnovu."
  value       = var.images == null ? module.registry[0].repository : var.images.repository
}

output "secret_ids" {
  description = "What the secrets are called in Secret Manager, by environment and name."
  value       = { for environment, secrets in module.secrets : environment => secrets.secret_ids }
}

output "secret_versions" {
  description = "The versions that were written now, by environment and name: what to put into secret_versions of the environment."
  value       = { for environment, secrets in module.secrets : environment => secrets.versions }
}

output "service_accounts" {
  description = "Cloud Build's service accounts (checker, builder, and planner and applier of each environment), and those of each environment's parts."
  value = {
    checker = google_service_account.checker.email
    builder = google_service_account.builder.email
    parts   = { for environment, accounts in module.accounts : environment => accounts.emails }
    planner = { for environment, account in google_service_account.planner : environment => account.email }
    applier = { for environment, account in google_service_account.applier : environment => account.email }
  }
}

output "state_bucket" {
  description = "The state's bucket: terraform init -backend-config=bucket=<this>."
  value       = google_storage_bucket.state.name
}

output "triggers" {
  description = "Names of Cloud Build's triggers, by environment."
  value = {
    for environment, trigger in google_cloudbuild_trigger.plan :
    environment => { plan = trigger.name, apply = google_cloudbuild_trigger.apply[environment].name }
  }
}
