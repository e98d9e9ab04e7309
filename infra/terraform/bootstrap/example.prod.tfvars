# Copy this to prod.tfvars, and put your own values in. None is secret. It takes the images that staging has tested in the
# other project (example.tfvars), by digest.
project_id = "my-project-prod"
region     = "europe-west3"
approvers  = ["group:xnovu-approvers@example.org"]
repository = "projects/my-project-prod/locations/europe-west3/connections/github/repositories/xnovu"

images = {
  repository = "europe-west3-docker.pkg.dev/my-project/xnovu"
  tested     = "gs://my-project-xnovu-terraform/xnovu/staging/tested"
}

environments = {
  prod = { branch = "^release$" }
}
