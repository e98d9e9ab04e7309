# The way out.

variables {
  alert_emails          = ["oncall@example.org"]
  autoscaler            = "function"
  deletion_protection   = false
  enterprise_ids        = ["acme", "globex"]
  environment           = "dev"
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

run "by_default_there_is_no_network" {
  command = plan

  assert {
    condition     = output.egress_address == null && local.vpc_access == null
    error_message = "No network unless it is asked for."
  }
}

run "one_address_for_everything" {
  command = plan

  variables {
    static_egress_cidr = "10.8.0.0/24"
  }

  assert {
    condition     = length(module.network) == 1 && local.vpc_access.egress == "ALL_TRAFFIC"
    error_message = "Everything goes out by the one address."
  }
}

run "a_network_that_is_there_already" {
  command = plan

  variables {
    vpc_access = { network = "projects/project/global/networks/n", subnetwork = "projects/project/regions/europe-west3/subnetworks/s" }
  }

  assert {
    condition     = local.vpc_access.subnetwork == "projects/project/regions/europe-west3/subnetworks/s" && length(module.network) == 0
    error_message = "The given network is used, and none is made."
  }
}
