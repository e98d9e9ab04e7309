output "emails" {
  description = "Addresses of the accounts, by part. Known once each may read its secrets."
  value       = { for part, account in google_service_account.main : part => account.email }
  depends_on  = [google_secret_manager_secret_iam_member.reader]
}

output "secret_readers" {
  description = "Which secrets each part may read, by part."
  value = {
    for part in keys(local.parts) : part => toset([
      for name, binding in google_secret_manager_secret_iam_member.reader : binding.secret_id if startswith(name, "${part}: ")
    ])
  }
}
