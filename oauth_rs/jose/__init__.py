"""JSON Web Signatures, Keys and claims (RFC 7515, 7517, 7519), read by a resource server and never made."""
