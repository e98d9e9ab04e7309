output "email" {
  description = "The account's address. Known once it may read its secrets, so that what runs as it can start."
  value       = google_service_account.main.email
  depends_on  = [google_secret_manager_secret_iam_member.reader]
}

output "member" {
  description = "The account as a member of IAM policies."
  value       = google_service_account.main.member
}

output "name" {
  description = "The account's full name, projects/P/serviceAccounts/E."
  value       = google_service_account.main.name
}

output "secret_ids" {
  description = "The secrets that it may read, by the bindings that there are."
  value       = toset([for binding in google_secret_manager_secret_iam_member.reader : binding.secret_id])
}
