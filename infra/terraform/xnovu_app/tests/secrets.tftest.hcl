# A pool never becomes ready when a secret has no version: that is found out before there is one.

mock_provider "google" {}

variables {
  alert_emails          = ["oncall@example.org"]
  autoscaler            = "function"
  deletion_protection   = true
  enterprise_ids        = ["acme", "globex"]
  environment           = "prod"
  image                 = "europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:1111111111112222222222223333333333334444444444445555555555556666"
  pagerduty_service_key = "" # terraform test wants ephemeral variables to be given
  project_id            = "project"
  region                = "europe-west3"
  runbook_url           = "https://example.org/docs/runbook.md"
  supabase_url          = "https://abcdefghijklmnopqrst.supabase.co"
  temporal              = { address = "europe-west3.gcp.api.temporal.io:7233", namespace = "xnovu.a1b2c" }
  secret_versions       = { novu_secret_key = 3, supabase_service_role_key = 2, temporal_api_key = 1 }
  worker_max_instances  = 10
  worker_min_instances  = 1
}

run "a_destroyed_version_is_refused" {
  command = plan

  override_data {
    target = data.google_secret_manager_secret_version.main
    values = { enabled = false, destroy_time = "2026-11-01T00:00:00Z" }
  }

  expect_failures = [data.google_secret_manager_secret_version.main]
}

run "versions_are_pinned_by_number" {
  command = plan

  override_data {
    target = data.google_secret_manager_secret_version.main
    values = { enabled = true, destroy_time = "" }
  }

  assert {
    condition = local.secrets == {
      NOVU_SECRET_KEY           = { secret = "xnovu-prod-novu-secret-key", version = 3 }
      SUPABASE_SERVICE_ROLE_KEY = { secret = "xnovu-prod-supabase-service-role-key", version = 2 }
      TEMPORAL_API_KEY          = { secret = "xnovu-prod-temporal-api-key", version = 1 }
    }
    error_message = "Secrets by reference and number: ${jsonencode(local.secrets)}"
  }

  assert {
    condition     = alltrue([for version in data.google_secret_manager_secret_version.main : !version.fetch_secret_data])
    error_message = "No value is read."
  }
}

run "keys_of_enterprises_own_reach_the_workers_alone" {
  command = plan

  variables {
    novu_keys = { ACME = 4, BIG_CO = 1 }
  }

  override_data {
    target = data.google_secret_manager_secret_version.main
    values = { enabled = true, destroy_time = "" }
  }

  assert {
    condition = (
      local.worker_secrets["NOVU_SECRET_KEY__ACME"] == { secret = "xnovu-prod-novu-secret-key-acme", version = 4 } &&
      local.worker_secrets["NOVU_SECRET_KEY__BIG_CO"] == { secret = "xnovu-prod-novu-secret-key-big-co", version = 1 } &&
      alltrue([for name in keys(local.other_secrets) : !startswith(name, "NOVU_")])
    )
    error_message = "By reference and number: ${jsonencode(local.worker_secrets)}"
  }
}

run "a_key_s_name_is_that_of_a_variable" {
  command = plan

  variables {
    novu_keys = { "acme" = 1 }
  }

  expect_failures = [var.novu_keys]
}
