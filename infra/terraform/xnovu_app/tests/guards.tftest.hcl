# What is refused before anything is planned: in every run each variable but those marked as given is wrong by itself.

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

override_data {
  target = data.google_secret_manager_secret_version.main
  values = { enabled = true, destroy_time = "" }
}

run "what_is_no_value_at_all" {
  command = plan

  variables {
    image                            = "europe-west3-docker.pkg.dev/project/xnovu/xnovu:latest"
    listener_count                   = 0
    enterprise_ids                   = ["acme, globex"]
    temporal                         = { address = "https://temporal" }
    worker_shutdown_grace_seconds    = 8 # 1 each for results, telemetry and the end, and Cloud Run kills after 10
    vpc_access                       = { network = "n", subnetwork = "s", connector = "c" }
    secret_versions                  = { novu_secret_key = 0, supabase_service_role_key = 2 }
    worker_settings                  = { NOVU_SECRET_KEY = "x" }
    listener_settings                = { TEMPORAL_API_KEY = "x" }
    function_settings                = { SUPABASE_SERVICE_ROLE_KEY = "x" }
    worker_builds                    = ["r/x@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
    trace_share                      = 2
    notification_claim_lease_seconds = 20 # the drain, and the heartbeat of a delivery whose worker is dead
    log_level                        = "loud"
  }

  expect_failures = [
    var.image,
    var.listener_count,
    var.enterprise_ids,
    var.temporal,
    var.worker_shutdown_grace_seconds,
    var.vpc_access,
    var.secret_versions,
    var.worker_settings,
    var.listener_settings,
    var.function_settings,
    var.worker_builds,
    var.trace_share,
    var.log_level,
    var.notification_claim_lease_seconds,
  ]
}

run "what_does_not_fit_together" {
  command = plan

  variables {
    image                         = "europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:1234"
    worker_shutdown_grace_seconds = 0
    vpc_access                    = { network = "n", subnetwork = "s" }
    static_egress_cidr            = "10.8.0.0/24"
    secret_versions               = { novu_secret_key = 1, supabase_service_role_key = 2, temporal_tls_client_cert = 1 }
    autoscale                     = { quiet_seconds = 60 }
    worker_min_instances          = 11
    worker_max_instances          = 10
  }

  expect_failures = [
    var.image,
    var.worker_shutdown_grace_seconds,
    var.static_egress_cidr,
    var.secret_versions,
    var.autoscale,
    var.worker_max_instances,
  ]
}

run "production_has_a_worker_and_is_protected" {
  command = plan

  variables {
    worker_min_instances = 0
    deletion_protection  = false
  }

  expect_failures = [
    var.worker_min_instances,
    var.deletion_protection,
  ]
}

run "production_has_a_worker_when_the_number_is_fixed" {
  command = plan

  variables {
    autoscaler        = "fixed"
    worker_instances  = 0
    worker_versioning = true
    worker_builds     = ["r/x:v1"]
  }

  expect_failures = [
    var.worker_instances,
    var.worker_builds,
  ]
}

run "there_is_no_other_autoscaler" {
  command = plan

  variables {
    autoscaler = "crema"
  }

  expect_failures = [
    var.autoscaler,
  ]
}

run "temporal_scales_a_pool_for_each_build" {
  command = plan

  variables {
    autoscaler        = "temporal"
    worker_versioning = false
  }

  expect_failures = [
    var.worker_versioning,
  ]
}

run "what_is_right_is_let_through" {
  command = plan

  assert {
    condition     = keys(module.worker) == ["xnovu-prod-worker"] && module.listener.instances == 1
    error_message = "A worker pool, and a listener."
  }
}

run "everybody_is_not_one_of_a_list" {
  command = plan

  variables {
    enterprise_ids = ["*", "acme"]
  }

  expect_failures = [
    var.enterprise_ids,
  ]
}

run "a_list_is_the_workers_too" {
  command = plan

  assert {
    condition = (
      local.connections.DAEMON_ENTERPRISE_IDS == "acme,globex" && local.worker_environment.WORKER_ENTERPRISE_IDS == "acme,globex"
    )
    error_message = "Listener, functions and workers serve the same."
  }
}

run "everybody_is_served" {
  command = plan

  variables {
    enterprise_ids = ["*"]
  }

  assert {
    condition     = local.connections.DAEMON_ENTERPRISE_IDS == "*" && local.functions.DAEMON_ENTERPRISE_IDS == "*"
    error_message = "Listener and functions take everybody."
  }

  assert {
    condition     = !contains(keys(local.worker_environment), "WORKER_ENTERPRISE_IDS")
    error_message = "Workers of everybody have no list."
  }
}
