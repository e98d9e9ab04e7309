# One pool, whoever counts.

mock_provider "google" {}

variables {
  args                  = ["worker"]
  description           = "Workers"
  environment           = { NOVU_API_URL = "https://api.novu.co" }
  image                 = "europe-west3-docker.pkg.dev/project/xnovu/xnovu@sha256:1111111111112222222222223333333333334444444444445555555555556666"
  instances             = 2
  labels                = { app = "xnovu" }
  name                  = "xnovu-prod-worker"
  project_id            = "project"
  region                = "europe-west3"
  secrets               = { NOVU_SECRET_KEY = { secret = "novu", version = 3 } }
  service_account_email = "worker@project.iam.gserviceaccount.com"
  vpc_access            = { egress = "ALL_TRAFFIC", network = "n", subnetwork = "s" }
}

run "counted_by_terraform" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_worker_pool.main.scaling[0].manual_instance_count == 2
    error_message = "As many as Terraform says."
  }

  assert {
    condition = (
      output.environment_names == toset(["NOVU_API_URL", "NOVU_SECRET_KEY", "PROBE_PORT"]) &&
      output.secret_names == toset(["NOVU_SECRET_KEY"])
    )
    error_message = "What it is given, and where it is probed."
  }

  assert {
    condition = alltrue([
      for container in google_cloud_run_v2_worker_pool.main.template[0].containers :
      container.startup_probe[0].http_get[0].path == "/startup" && container.liveness_probe[0].http_get[0].path == "/livez" &&
      container.startup_probe[0].period_seconds * container.startup_probe[0].failure_threshold <= 240
    ])
    error_message = "Probed at its own paths, for the four minutes that Cloud Run allows."
  }
}

run "counted_by_a_scaler" {
  command = plan

  variables {
    instances = null
  }

  assert {
    condition     = length(google_cloud_run_v2_worker_pool.main.scaling) == 0
    error_message = "Terraform says no number."
  }
}

run "half_an_instance_is_refused" {
  command = plan

  variables {
    instances = 0.5
  }

  expect_failures = [var.instances]
}

run "half_a_processor_is_refused" {
  command = plan

  variables {
    cpu = "0.5"
  }

  expect_failures = [var.cpu]
}
