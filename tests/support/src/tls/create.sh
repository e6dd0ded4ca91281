# Creates the certificates and keys in this directory, with OpenSSL. The key of the authority is not kept.
set -eu
cat > ca.cnf <<'C'
[ca]
default_ca = tests
[tests]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[service]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
C
touch index.txt; echo 01 > serial
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"; }
sign() { openssl ca -batch -notext -config ca.cnf -in "$1.csr" -out "$1.pem" -startdate "$2" -enddate "$3" "${@:4}"; }
key authority "authority of the tests"
sign authority 20200101000000Z 21200101000000Z -selfsign -keyfile authority.key -extensions authority
for name in first second; do key $name localhost; sign $name 20200101000000Z 21200101000000Z -cert authority.pem -keyfile authority.key -extensions service; done
key expired localhost; sign expired 20200101000000Z 20210101000000Z -cert authority.pem -keyfile authority.key -extensions service
