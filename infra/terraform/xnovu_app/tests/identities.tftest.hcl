# Who may do what. With the provider itself, because a mock knows no account's address.

variables {
  alert_emails          = ["oncall@example.org"]
  autoscaler            = "function"
  deletion_protection   = false # or what the last run leaves could not be torn down
  enterprise_ids        = ["acme", "globex"]
  environment           = "staging"
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

override_data {
  target = data.google_secret_manager_secret_version.main
  values = { enabled = true, destroy_time = "" }
}

run "who_may_do_what" {
  variables {
    function_invokers = { support = "group:support@example.org" }
  }

  assert {
    condition = (
      module.worker["xnovu-staging-worker"].secret_names == toset(["NOVU_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "TEMPORAL_API_KEY"]) &&
      alltrue([
        for part in [module.listener, module.health, module.status, module.trigger, module.autoscale[0]] :
        part.secret_names == toset(["SUPABASE_SERVICE_ROLE_KEY", "TEMPORAL_API_KEY"])
      ])
    )
    error_message = "What a part may read is what it is given, and the other way round."
  }

  assert {
    condition = length(setintersection(
      toset(flatten([for function in output.functions : tolist(function.invokers)])), ["allUsers", "allAuthenticatedUsers"],
    )) == 0
    error_message = "Nobody gets allUsers."
  }

  assert {
    condition = (
      output.functions.health.invokers == toset(["serviceAccount:service-${data.google_project.main.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"]) &&
      output.functions.autoscale.invokers == toset(["serviceAccount:${output.service_accounts.scheduler}"]) &&
      output.functions.status.invokers == toset(["group:support@example.org"]) &&
      output.functions.trigger.invokers == toset(["group:support@example.org"])
    )
    error_message = "Uptime checks call health, the scheduler calls autoscale, those who are named call status and trigger: ${jsonencode(output.functions)}"
  }

  assert {
    condition = (
      output.functions.health.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" &&
      output.functions.autoscale.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    )
    error_message = "health and autoscale are internal."
  }

  assert {
    condition = (
      google_cloud_run_v2_worker_pool_iam_member.autoscale["xnovu-staging-worker"].member == "serviceAccount:xnovu-staging-autoscale@project.iam.gserviceaccount.com" &&
      google_cloud_run_v2_worker_pool_iam_member.autoscale["xnovu-staging-worker"].role == "projects/project/roles/xnovu_staging_scaler" &&
      output.scaled_pools == ["projects/project/locations/europe-west3/workerPools/xnovu-staging-worker"]
    )
    error_message = "The scaler changes the worker's pool, and nothing else."
  }

  assert {
    condition     = toset(values(output.images)) == toset([var.image]) && length(output.images) == 6
    error_message = "One image runs every part: ${jsonencode(output.images)}"
  }
}

run "the_webhook_is_for_anybody_and_holds_next_to_nothing" {
  variables {
    secret_versions = { novu_secret_key = 3, novu_webhook_secrets = 1, supabase_service_role_key = 2, temporal_api_key = 1 }
  }

  assert {
    condition     = output.functions.webhook.invokers == toset(["allUsers"]) && output.functions.webhook.ingress == "INGRESS_TRAFFIC_ALL"
    error_message = "Novu has no identity that Google knows: ${jsonencode(output.functions.webhook)}"
  }

  assert {
    condition = (
      module.webhook[0].secret_names == toset(["NOVU_WEBHOOK_SECRETS", "SUPABASE_SERVICE_ROLE_KEY"]) &&
      !contains(output.settings.webhook, "FUNCTIONS_TRUST_PLATFORM_IDENTITY")
    )
    error_message = "It reaches the database and nothing else: ${jsonencode(output.settings.webhook)}"
  }

  assert {
    condition     = contains(output.settings["xnovu-staging-worker"], "NOVU_DELIVERY")
    error_message = "The worker keeps account of what the webhook function is told."
  }

  assert {
    condition = alltrue([
      for name, function in output.functions : name == "webhook" || !contains(function.invokers, "allUsers")
    ])
    error_message = "Nobody else gets allUsers."
  }
}

run "nothing_but_the_webhook_is_for_anybody" {
  command = plan

  module {
    source = "../modules/function"
  }

  variables {
    description           = "Sends"
    environment           = {}
    invokers              = {}
    name                  = "xnovu-prod-trigger"
    public                = true
    secrets               = {}
    service_account_email = "trigger@project.iam.gserviceaccount.com"
    target                = "trigger"
  }

  expect_failures = [var.public]
}

run "callers_cannot_be_everybody" {
  command = plan

  module {
    source = "../modules/function"
  }

  variables {
    description           = "Sends"
    environment           = {}
    invokers              = { everybody = "allUsers" }
    name                  = "xnovu-prod-trigger"
    secrets               = {}
    service_account_email = "trigger@project.iam.gserviceaccount.com"
    target                = "trigger"
  }

  expect_failures = [var.invokers]
}
