# Copy this to terraform.tfvars, and put your own values in. None is secret.
project_id = "my-project"
region     = "europe-west3"
approvers  = ["group:xnovu-approvers@example.org"]
repository = "projects/my-project/locations/europe-west3/connections/github/repositories/xnovu"

budget = {
  billing_account = "000000-000000-000000"
  units           = 300
}

environments = {
  dev     = { branch = "^main$", approval = false }
  staging = { branch = "^main$" }
  prod    = { branch = "^release$" }
}
