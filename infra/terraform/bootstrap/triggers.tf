# A push to an environment's branch checks, builds and plans (cloudbuild.yaml). Applying the saved plan
# (infra/cloudbuild/apply.yaml) waits for somebody's approval.

locals {
  triggered = var.repository == null ? {} : { for name, environment in var.environments : name => environment if environment.branch != null }

  substitutions = {
    for name in keys(local.triggered) : name => {
      _CACHE        = module.registry.cache
      _ENVIRONMENT  = name
      _PLANNER      = google_service_account.planner[name].email
      _REGION       = var.region
      _REPOSITORY   = module.registry.repository
      _STATE_BUCKET = google_storage_bucket.state.name
    }
  }
}

resource "google_cloudbuild_trigger" "plan" {
  for_each = local.triggered

  project            = var.project_id
  location           = var.region
  name               = "xnovu-${each.key}"
  description        = "Checks, builds and plans ${each.key}"
  filename           = "cloudbuild.yaml"
  service_account    = google_service_account.builder.id
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"
  ignored_files      = ["docs/**", "**/*.md"]
  substitutions      = merge(local.substitutions[each.key], { _APPLY_TRIGGER = "xnovu-${each.key}-apply" })

  repository_event_config {
    repository = var.repository

    push {
      branch = each.value.branch
    }
  }
}

resource "google_cloudbuild_trigger" "apply" {
  for_each = local.triggered

  project         = var.project_id
  location        = var.region
  name            = "xnovu-${each.key}-apply"
  description     = "Applies the plan that was saved for ${each.key}"
  service_account = google_service_account.applier[each.key].id
  substitutions   = { for name, value in local.substitutions[each.key] : name => value if !contains(["_CACHE", "_PLANNER"], name) }

  source_to_build {
    repository = var.repository
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  git_file_source {
    path       = "infra/cloudbuild/apply.yaml"
    repository = var.repository
    revision   = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  approval_config {
    approval_required = each.value.approval
  }
}

# Asks for a deployment; whether it happens, approvers say.
resource "google_project_iam_custom_role" "build_starter" {
  count = length(local.triggered) > 0 ? 1 : 0

  project     = var.project_id
  role_id     = "xnovu_build_starter"
  title       = "XNovu: starts builds"
  description = "Runs triggers, as those service accounts only that it may act as."
  permissions = ["cloudbuild.builds.create", "cloudbuild.builds.get", "cloudbuild.builds.list"]
}

resource "google_project_iam_member" "builder_asks" {
  count = length(local.triggered) > 0 ? 1 : 0

  project = var.project_id
  role    = google_project_iam_custom_role.build_starter[0].id
  member  = google_service_account.builder.member
}

resource "google_service_account_iam_member" "builder_starts_applier" {
  for_each = local.triggered

  service_account_id = google_service_account.applier[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.builder.member
}

resource "google_project_iam_member" "approver" {
  for_each = toset(var.approvers)

  project = var.project_id
  role    = "roles/cloudbuild.builds.approver"
  member  = each.value
}
