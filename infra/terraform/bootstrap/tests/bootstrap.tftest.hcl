# Who may build, plan and apply.

mock_provider "google" {}
mock_provider "google-beta" {}

variables {
  approvers     = ["group:approvers@example.org"]
  budget        = { billing_account = "000000-000000-000000", units = 300 }
  project_id    = "project"
  region        = "europe-west3"
  secret_values = {} # terraform test wants ephemeral variables to be given
  repository    = "projects/project/locations/europe-west3/connections/c/repositories/r"
  wait_seconds  = 0
  environments = {
    dev     = { branch = "^main$", approval = false }
    staging = { branch = "^staging$", after = "dev" }
  }
}

run "nobody_is_an_owner" {
  command = plan

  assert {
    condition = length(setintersection(
      concat(local.builder_roles, local.planner_roles, local.applier_roles), ["roles/owner", "roles/editor", "roles/secretmanager.admin", "roles/secretmanager.secretAccessor"],
    )) == 0
    error_message = "Builds own nothing, and read no secret."
  }

  assert {
    condition = alltrue([
      for role in local.planner_roles : contains(["roles/iam.securityReviewer", "roles/logging.logWriter", "roles/secretmanager.viewer", "roles/viewer"], role)
    ])
    error_message = "Who plans only looks."
  }
}

run "who_applies_can_try_it" {
  command = plan

  override_resource {
    target          = google_service_account.applier
    override_during = plan
    values = {
      name   = "projects/project/serviceAccounts/xnovu-applier@project.iam.gserviceaccount.com"
      member = "serviceAccount:xnovu-applier@project.iam.gserviceaccount.com"
    }
  }

  assert {
    condition = alltrue([
      for name, binding in google_service_account_iam_member.applier_identity :
      binding.role == "roles/iam.serviceAccountOpenIdTokenCreator" &&
      binding.service_account_id == google_service_account.applier[name].name &&
      binding.member == google_service_account.applier[name].member
    ]) && length(google_service_account_iam_member.applier_identity) == 2
    error_message = "An applier has identity tokens of its own, and of nobody else."
  }
}

run "what_is_applied_waits_for_somebody" {
  command = plan

  assert {
    condition = (
      google_cloudbuild_trigger.apply["staging"].approval_config[0].approval_required &&
      !google_cloudbuild_trigger.apply["dev"].approval_config[0].approval_required &&
      google_project_iam_member.approver["group:approvers@example.org"].role == "roles/cloudbuild.builds.approver"
    )
    error_message = "A plan is applied once somebody has approved it."
  }

  assert {
    condition = (
      length(google_cloudbuild_trigger.apply["staging"].git_file_source) == 0 && length(google_cloudbuild_trigger.apply["staging"].source_to_build) == 0 &&
      google_cloudbuild_trigger.apply["staging"].build[0].step[0].id == "fetch" &&
      google_cloudbuild_trigger.apply["staging"].substitutions._REVISION == "$(body.message.data.substitutions.COMMIT_SHA)"
    )
    error_message = "What applies is of the commit that was planned, not of a branch as it is by then."
  }

  assert {
    condition     = google_cloudbuild_trigger.check[0].repository_event_config[0].push[0].branch == "(^main$)|(^staging$)"
    error_message = "Every commit that deploys somewhere is tested and built once: ${google_cloudbuild_trigger.check[0].repository_event_config[0].push[0].branch}"
  }

  assert {
    condition     = google_cloudbuild_trigger.plan["staging"].substitutions._SUCCEEDED == "none" && endswith(google_cloudbuild_trigger.plan["staging"].substitutions._TESTED, "/xnovu/dev/tested")
    error_message = "What another environment has passed is asked for there."
  }
}

run "production_takes_what_another_project_has_tested" {
  command = plan

  variables {
    environments = { prod = { branch = "^release$" } }
    images       = { repository = "europe-west3-docker.pkg.dev/other/xnovu", tested = "gs://other-xnovu-terraform/xnovu/staging/tested" }
  }

  assert {
    condition = (
      length(google_cloudbuild_trigger.build) == 0 && length(google_cloudbuild_trigger.check) == 0 && length(module.registry) == 0 &&
      google_cloudbuild_trigger.plan["prod"].substitutions._IMAGE == "europe-west3-docker.pkg.dev/other/xnovu/xnovu" &&
      google_cloudbuild_trigger.plan["prod"].substitutions._TESTED == "gs://other-xnovu-terraform/xnovu/staging/tested"
    )
    error_message = "No image is made for production."
  }
}

run "production_is_alone_in_its_project" {
  command = plan

  variables {
    environments = { dev = {}, prod = {} }
  }

  expect_failures = [var.environments]
}

run "production_cannot_go_unseen" {
  command = plan

  variables {
    environments = { prod = { approval = false } }
  }

  expect_failures = [var.environments]
}

run "there_are_three_environments_at_most" {
  command = plan

  variables {
    environments = { test = {} }
  }

  expect_failures = [var.environments]
}

run "without_a_repository_nothing_is_triggered" {
  command = plan

  variables {
    repository = null
    budget     = null
  }

  assert {
    condition     = length(google_cloudbuild_trigger.plan) == 0 && length(google_cloudbuild_trigger.apply) == 0 && length(google_cloudbuild_trigger.check) == 0 && length(google_billing_budget.main) == 0
    error_message = "No triggers, no budget."
  }
}

run "state_is_kept" {
  command = plan

  assert {
    condition = (
      google_storage_bucket.state.versioning[0].enabled && !google_storage_bucket.state.force_destroy &&
      google_storage_bucket.state.uniform_bucket_level_access && google_storage_bucket.state.public_access_prevention == "enforced"
    )
    error_message = "The state's bucket keeps versions, and is nobody else's."
  }
}
