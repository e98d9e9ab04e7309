# Who reads which secret. With the provider itself, because a mock knows no account's address.

variables {
  applier    = "serviceAccount:xnovu-applier-prod@project.iam.gserviceaccount.com"
  prefix     = "xnovu-prod"
  project_id = "project"
  secrets    = ["novu_secret_key", "supabase_service_role_key", "temporal_api_key"]
}

run "each_reads_its_own" {
  assert {
    condition = output.secret_readers == {
      autoscale = toset(["xnovu-prod-supabase-service-role-key", "xnovu-prod-temporal-api-key"])
      health    = toset(["xnovu-prod-supabase-service-role-key", "xnovu-prod-temporal-api-key"])
      invoker   = toset([])
      listener  = toset(["xnovu-prod-supabase-service-role-key", "xnovu-prod-temporal-api-key"])
      scheduler = toset([])
      status    = toset(["xnovu-prod-supabase-service-role-key", "xnovu-prod-temporal-api-key"])
      trigger   = toset(["xnovu-prod-supabase-service-role-key", "xnovu-prod-temporal-api-key"])
      webhook   = toset(["xnovu-prod-supabase-service-role-key"])
      worker    = toset(["xnovu-prod-novu-secret-key", "xnovu-prod-supabase-service-role-key", "xnovu-prod-temporal-api-key"])
    }
    error_message = "Each part reads its own secrets, and Novu's key is the worker's alone: ${jsonencode(output.secret_readers)}"
  }
}

run "what_novu_signs_with_is_the_webhooks_alone" {
  command = plan

  variables {
    secrets = ["novu_secret_key", "novu_webhook_secrets", "supabase_service_role_key", "temporal_api_key"]
  }

  assert {
    condition = (
      output.secret_readers.webhook == toset(["xnovu-prod-novu-webhook-secrets", "xnovu-prod-supabase-service-role-key"]) &&
      alltrue([for part, secrets in output.secret_readers : part == "webhook" || !contains(secrets, "xnovu-prod-novu-webhook-secrets")])
    )
    error_message = "It reaches the database and nothing else: ${jsonencode(output.secret_readers)}"
  }
}

run "keys_of_enterprises_own_are_the_workers_alone" {
  command = plan

  variables {
    secrets = ["novu_secret_key", "novu_secret_key_acme", "supabase_service_role_key"]
  }

  assert {
    condition = (
      contains(output.secret_readers.worker, "xnovu-prod-novu-secret-key-acme") &&
      alltrue([for part, secrets in output.secret_readers : part == "worker" || !contains(secrets, "xnovu-prod-novu-secret-key-acme")])
    )
    error_message = "As Novu's key of the deployment: ${jsonencode(output.secret_readers)}"
  }
}

run "who_scales" {
  variables {
    temporal_principals = ["serviceAccount:a@temporal.example", "serviceAccount:b@temporal.example"]
  }

  assert {
    condition = (
      length(google_service_account_iam_member.temporal_acts_as_invoker) == 2 &&
      google_project_iam_custom_role.scaler.permissions == toset(["run.workerpools.get", "run.workerpools.update"]) &&
      google_project_iam_custom_role.watcher.permissions == toset(["run.operations.get"])
    )
    error_message = "Temporal's accounts act as the invoker, which changes pools and nothing else."
  }
}

run "temporal_scales_as_service_accounts_only" {
  command = plan

  variables {
    temporal_principals = ["allUsers"]
  }

  expect_failures = [var.temporal_principals]
}

run "names_fit" {
  command = plan

  variables {
    prefix = "xnovu-production-of-europe"
  }

  expect_failures = [var.prefix]
}
