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
  environments = {
    dev  = { branch = "^main$", approval = false }
    prod = { branch = "^release$" }
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
    condition = {
      for name, binding in google_project_iam_member.applier : name => [for condition in binding.condition : condition.expression]
      if length(binding.condition) > 0
      } == {
      for environment in ["dev", "prod"] : "${environment}: roles/resourcemanager.projectIamAdmin" => [local.grantable]
    }
    error_message = "Who applies may hand out only what the parts have."
  }

  assert {
    condition     = strcontains(local.grantable, "hasOnly(['roles/serviceusage.serviceUsageConsumer', 'roles/telemetry.metricsWriter', 'roles/telemetry.tracesWriter', 'projects/project/roles/xnovu_dev_operation_watcher',")
    error_message = "What the parts have: ${local.grantable}"
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

run "production_waits_for_somebody" {
  command = plan

  assert {
    condition = (
      google_cloudbuild_trigger.apply["prod"].approval_config[0].approval_required &&
      google_cloudbuild_trigger.plan["prod"].filename == "cloudbuild.yaml" &&
      google_cloudbuild_trigger.apply["prod"].git_file_source[0].path == "infra/cloudbuild/apply.yaml" &&
      google_project_iam_member.approver["group:approvers@example.org"].role == "roles/cloudbuild.builds.approver"
    )
    error_message = "A plan for production is applied once somebody has approved it."
  }
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
    condition     = length(google_cloudbuild_trigger.plan) == 0 && length(google_cloudbuild_trigger.apply) == 0 && length(google_billing_budget.main) == 0
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
