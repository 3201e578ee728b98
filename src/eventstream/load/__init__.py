"""Files and generated traffic into the HTTP API: mapped, batched, resumable."""
