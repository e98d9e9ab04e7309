# What a push starts, each as an account of its own:
#
#   xnovu-check       the tests (infra/cloudbuild/check.yaml)              once for each commit, whatever environments it is for
#   xnovu-build       the image (cloudbuild.yaml)
#   xnovu-ENV-plan    waits for both, and saves a plan (infra/cloudbuild/plan.yaml)
#   xnovu-ENV-apply   applies it (infra/cloudbuild/apply.yaml): started by Cloud Build's own word that the plan was saved, and
#                     held until somebody approves. No account may start a build, so none can start this one.

locals {
  deployed = { for name, environment in var.environments : name => environment if environment.branch != null && var.repository != null }
  # Images are made where the environments are tested first: not in a project that takes what another has tested.
  builds   = length(local.deployed) > 0 && var.images == null
  branches = join("|", distinct([for environment in values(local.deployed) : "(${environment.branch})"]))
  image    = "${var.images == null ? module.registry[0].repository : var.images.repository}/xnovu"
  unbuilt  = ["docs/**", "**/*.md"]
  apply    = yamldecode(file("${path.module}/../../cloudbuild/apply.yaml"))
}

resource "google_cloudbuild_trigger" "check" {
  count = local.builds ? 1 : 0

  project            = var.project_id
  location           = var.region
  name               = "xnovu-check"
  description        = "Tests"
  filename           = "infra/cloudbuild/check.yaml"
  service_account    = google_service_account.checker.id
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"
  ignored_files      = local.unbuilt

  repository_event_config {
    repository = var.repository

    push {
      branch = local.branches
    }
  }
}

resource "google_cloudbuild_trigger" "build" {
  count = local.builds ? 1 : 0

  project            = var.project_id
  location           = var.region
  name               = "xnovu-build"
  description        = "Builds, scans and tries the image"
  filename           = "cloudbuild.yaml"
  service_account    = google_service_account.builder.id
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"
  ignored_files      = local.unbuilt

  substitutions = {
    _CACHE  = module.registry[0].cache
    _IMAGE  = local.image
    _REGION = var.region
  }

  repository_event_config {
    repository = var.repository

    push {
      branch = local.branches
    }
  }
}

resource "google_cloudbuild_trigger" "plan" {
  for_each = local.deployed

  project            = var.project_id
  location           = var.region
  name               = "xnovu-${each.key}-plan"
  description        = "Plans ${each.key}"
  filename           = "infra/cloudbuild/plan.yaml"
  service_account    = google_service_account.planner[each.key].id
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"
  ignored_files      = local.unbuilt

  substitutions = {
    _ENVIRONMENT  = each.key
    _IMAGE        = local.image
    _REGION       = var.region
    _STATE_BUCKET = google_storage_bucket.state.name
    # What must have gone well before: the tests and the build of this commit, or the environment that had the image first.
    _SUCCEEDED = each.value.after == null && var.images == null ? "${google_cloudbuild_trigger.check[0].trigger_id} ${google_cloudbuild_trigger.build[0].trigger_id}" : "none"
    _TESTED    = var.images != null ? var.images.tested : each.value.after == null ? "none" : "gs://${google_storage_bucket.state.name}/xnovu/${each.value.after}/tested"
  }

  repository_event_config {
    repository = var.repository

    push {
      branch = each.value.branch
    }
  }
}

# Cloud Build writes here what becomes of builds, and nobody else does.
resource "google_pubsub_topic" "builds" {
  #checkov:skip=CKV_GCP_83:Names and states of builds; Cloud Build itself writes them.
  count = length(local.deployed) > 0 ? 1 : 0

  project = var.project_id
  name    = "cloud-builds"
  labels  = var.labels

  depends_on = [terraform_data.apis_are_there]
}

resource "google_cloudbuild_trigger" "apply" {
  for_each = local.deployed

  project         = var.project_id
  location        = var.region
  name            = "xnovu-${each.key}-apply"
  description     = "Applies the plan that was saved for ${each.key}"
  service_account = google_service_account.applier[each.key].id
  filter          = "_OF_TRIGGER == '${google_cloudbuild_trigger.plan[each.key].trigger_id}' && _STATUS == 'SUCCESS'"

  substitutions = {
    _ENVIRONMENT  = each.key
    _OF_TRIGGER   = "$(body.message.data.buildTriggerId)"
    _PLAN         = "$(body.message.data.id)"
    _REGION       = var.region
    _REVISION     = "$(body.message.data.substitutions.COMMIT_SHA)"
    _STATE_BUCKET = google_storage_bucket.state.name
    _STATUS       = "$(body.message.data.status)"
    _STEPS_SHA256 = filesha256("${path.module}/../../cloudbuild/apply.yaml")
  }

  pubsub_config {
    topic = google_pubsub_topic.builds[0].id
  }

  # The steps as they were when a person applied this; their scripts are those of the commit that was planned.
  build {
    timeout = local.apply.timeout

    dynamic "step" {
      for_each = local.apply.steps

      content {
        id         = step.value.id
        name       = step.value.name
        entrypoint = step.value.entrypoint
        args       = lookup(step.value, "args", null)
        env        = lookup(step.value, "env", null)
      }
    }

    options {
      logging             = local.apply.options.logging
      substitution_option = local.apply.options.substitutionOption
    }
  }

  approval_config {
    approval_required = each.value.approval
  }
}

resource "google_project_iam_member" "approver" {
  for_each = toset(var.approvers)

  project = var.project_id
  role    = "roles/cloudbuild.builds.approver"
  member  = each.value
}
