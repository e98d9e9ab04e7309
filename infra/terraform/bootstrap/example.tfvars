# Copy this to terraform.tfvars, and put your own values in. None is secret. Here are dev and staging, and the images are built;
# production has a project, and a bootstrap, of its own: example.prod.tfvars.
project_id = "my-project"
region     = "europe-west3"
approvers  = ["group:xnovu-approvers@example.org"]
repository = "projects/my-project/locations/europe-west3/connections/github/repositories/xnovu"

environments = {
  dev     = { branch = "^main$", approval = false }
  staging = { branch = "^main$" }
}

# Once production's bootstrap was applied: its planner, and the service agent of Cloud Run there (its project's number).
# image_readers = {
#   prod_planner = "serviceAccount:xnovu-planner-prod@my-project-prod.iam.gserviceaccount.com"
#   prod_runs    = "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
# }
# tested_readers = {
#   prod_planner = { member = "serviceAccount:xnovu-planner-prod@my-project-prod.iam.gserviceaccount.com", environment = "staging" }
# }

# Whoever applies this needs roles/billing.costsManager on the billing account.
# budget = {
#   billing_account = "000000-000000-000000"
#   units           = 300
# }
