# Values are written, and kept nowhere.

provider "google" {
  project = "project"
}

variables {
  deletion_protection = false
  names               = ["novu_secret_key", "supabase_service_role_key"]
  prefix              = "xnovu-dev"
  project_id          = "project"
  values              = {} # terraform test wants ephemeral variables to be given
}

run "without_values_there_are_only_names" {
  assert {
    condition = output.versions == {} && output.secret_ids == {
      novu_secret_key           = "xnovu-dev-novu-secret-key"
      supabase_service_role_key = "xnovu-dev-supabase-service-role-key"
    }
    error_message = "The secrets, without a version: ${jsonencode(output.secret_ids)}"
  }
}

run "a_value_is_written_and_not_kept" {
  variables {
    values  = { novu_secret_key = "not-to-be-seen" }
    written = { novu_secret_key = 1 }
  }

  assert {
    condition = (
      keys(output.versions) == ["novu_secret_key"] && google_secret_manager_secret_version.main["novu_secret_key"].secret_data == null &&
      google_secret_manager_secret_version.main["novu_secret_key"].deletion_policy == "ABANDON"
    )
    error_message = "A version, whose value nobody kept."
  }
}

run "only_secrets_there_are_can_be_written" {
  command = plan

  variables {
    values  = { novu_key = "x" }
    written = { novu_key = 1 }
  }

  expect_failures = [var.written]
}
