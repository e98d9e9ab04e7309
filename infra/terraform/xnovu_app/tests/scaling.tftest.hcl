# Exactly one scaler, and who owns the number of workers.

variables {
  alert_emails          = ["oncall@example.org"]
  autoscaler            = "function"
  deletion_protection   = false
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

run "the_function_scales" {
  assert {
    condition = (
      google_cloud_scheduler_job.autoscale[0].schedule == "* * * * *" &&
      google_cloud_scheduler_job.autoscale[0].http_target[0].http_method == "POST" &&
      google_cloud_scheduler_job.autoscale[0].http_target[0].uri == "${output.functions.autoscale.uri}/autoscale?looks=4" &&
      google_cloud_scheduler_job.autoscale[0].http_target[0].oidc_token[0].audience == output.functions.autoscale.uri &&
      google_cloud_scheduler_job.autoscale[0].http_target[0].oidc_token[0].service_account_email == output.service_accounts.scheduler
    )
    error_message = "Cloud Scheduler calls autoscale every minute, and signs in."
  }

  assert {
    condition     = length(google_cloud_run_v2_worker_pool_iam_member.temporal) == 0
    error_message = "Nobody else scales."
  }

  assert {
    condition     = { for name, pool in module.worker : name => pool.instances } == { xnovu-staging-worker = 1 }
    error_message = "One worker to begin with, as Cloud Run makes a pool of which nobody says a number."
  }
}

run "terraform_leaves_the_number_to_the_scaler" {
  command = plan

  variables {
    worker_min_instances = 4
  }

  assert {
    condition     = { for name, pool in module.worker : name => pool.instances } == { xnovu-staging-worker = 1 }
    error_message = "Terraform must not move the number: ${jsonencode({ for name, pool in module.worker : name => pool.instances })}"
  }
}

run "the_number_is_fixed" {
  variables {
    autoscaler       = "fixed"
    worker_instances = 3
  }

  assert {
    condition     = { for name, pool in module.worker : name => pool.instances } == { xnovu-staging-worker = 3 }
    error_message = "Terraform sets the number."
  }

  assert {
    condition = (
      length(google_cloud_scheduler_job.autoscale) == 0 && length(google_cloud_run_v2_worker_pool_iam_member.autoscale) == 0 &&
      !contains(keys(output.functions), "autoscale") && output.scaled_pools == [] && output.deploy_job == null && length(output.worker_builds) == 0
    )
    error_message = "Nobody scales."
  }
}

run "terraform_moves_a_fixed_number" {
  command = plan

  variables {
    autoscaler       = "fixed"
    worker_instances = 5
  }

  assert {
    condition     = { for name, pool in module.worker : name => pool.instances } == { xnovu-staging-worker = 5 }
    error_message = "Terraform moves the number."
  }
}

run "the_function_scales_a_pool_for_each_build" {
  command = plan

  variables {
    kept_worker_builds = ["europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:aaaaaaaaaaaa0000000000000000000000000000000000000000000000000000"]
    worker_builds      = ["europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:bbbbbbbbbbbb0000000000000000000000000000000000000000000000000000"]
    worker_versioning  = true
  }

  assert {
    condition = local.scaled_by_function == [
      "projects/project/locations/europe-west3/workerPools/xnovu-staging-worker-111111111111",
      "projects/project/locations/europe-west3/workerPools/xnovu-staging-worker-aaaaaaaaaaaa",
      "projects/project/locations/europe-west3/workerPools/xnovu-staging-worker-bbbbbbbbbbbb",
    ]
    error_message = "The current build's pool first, and those of builds before: ${jsonencode(local.scaled_by_function)}"
  }

  assert {
    condition = (
      contains(output.settings.autoscale, "TEMPORAL_WORKER_DEPLOYMENT_NAME") &&
      toset([for binding in google_cloud_run_v2_worker_pool_iam_member.autoscale : binding.name]) == toset([for pool in local.scaled_by_function : reverse(split("/", pool))[0]])
    )
    error_message = "It knows the deployment, and may change each of these pools."
  }

  assert {
    condition = (
      output.deploy_job == "projects/project/locations/europe-west3/jobs/xnovu-staging-deploy" &&
      google_cloud_run_v2_job.deploy[0].template[0].template[0].service_account == output.service_accounts.worker &&
      google_cloud_run_v2_job.deploy[0].template[0].template[0].containers[0].args == tolist(["deploy", "set-current", "sha256:1111111111112222222222223333333333334444444444445555555555556666", "--wait", "300"]) &&
      toset([for variable in google_cloud_run_v2_job.deploy[0].template[0].template[0].containers[0].env : variable.name]) == toset(["TEMPORAL_ADDRESS", "TEMPORAL_API_KEY", "TEMPORAL_NAMESPACE", "TEMPORAL_TASK_QUEUE", "TEMPORAL_TLS", "TEMPORAL_WORKER_DEPLOYMENT_NAME"])
    )
    error_message = "A job gives the new build the work, and knows no more than it takes."
  }
}

run "temporal_scales_a_pool_for_each_build" {
  command = plan

  variables {
    autoscaler           = "temporal"
    worker_builds        = ["europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:aaaaaaaaaaaa0000000000000000000000000000000000000000000000000000"]
    worker_min_instances = 0
    worker_versioning    = true
  }

  assert {
    condition     = toset(keys({ for name, pool in module.worker : name => pool.instances })) == toset(["xnovu-staging-worker-111111111111", "xnovu-staging-worker-aaaaaaaaaaaa"])
    error_message = "One pool for each build: ${jsonencode(keys(module.worker))}"
  }

  assert {
    condition = (
      output.current_worker_pool == "xnovu-staging-worker-111111111111" &&
      output.temporal_scaling.build-id == "111111111111" &&
      output.temporal_scaling.gcp-cloud-run-worker-pool == output.current_worker_pool &&
      output.temporal_scaling.gcp-cloud-run-service-account == output.service_accounts.invoker
    )
    error_message = "What Temporal is told is what there is: ${jsonencode(output.temporal_scaling)}"
  }

  assert {
    condition = (
      toset([for binding in google_cloud_run_v2_worker_pool_iam_member.temporal : binding.name]) == toset(keys({ for name, pool in module.worker : name => pool.instances })) &&
      length(google_cloud_scheduler_job.autoscale) == 0 && length(google_cloud_run_v2_worker_pool_iam_member.autoscale) == 0
    )
    error_message = "The invoker changes these pools; the function is gone."
  }

  assert {
    condition     = alltrue([for pool in module.worker : contains(pool.environment_names, "TEMPORAL_WORKER_DEPLOYMENT_NAME")])
    error_message = "Versioned workers know their deployment."
  }
}

run "versions_without_a_scaler" {
  command = plan

  variables {
    autoscaler        = "fixed"
    worker_builds     = ["europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:aaaaaaaaaaaa0000000000000000000000000000000000000000000000000000"]
    worker_instances  = 2
    worker_versioning = true
  }

  assert {
    condition     = { for name, pool in module.worker : name => pool.instances } == { xnovu-staging-worker-111111111111 = 2, xnovu-staging-worker-aaaaaaaaaaaa = 2 }
    error_message = "Every build has its workers."
  }
}
