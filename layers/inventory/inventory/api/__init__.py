"""HTTP through API Gateway: routes, requests, responses, the authorizer's policy, static files."""
