vcl 4.1;

# @NAMES@ are replaced by bench/compare/servers.py.
backend origin {
  .host = "@HOST@";
  .port = "@PORT@";
}

sub vcl_backend_response {
  set beresp.ttl = 1d;
}
