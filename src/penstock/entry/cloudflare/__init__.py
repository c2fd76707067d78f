"""The Cloudflare home as a project that wrangler deploys: what is written, and the commands that are run with it."""
