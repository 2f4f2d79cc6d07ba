#!/bin/sh
# Makes the certificates of the TLS tests, good for a hundred years, except `expired`. Run it in this folder.
set -eu
days=36500
ec() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1-key.pem" 2>/dev/null; }

authority() { # name subject
  ec "$1"
  openssl req -x509 -new -key "$1-key.pem" -subj "/CN=$2" -days "$days" -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

issue() { # name issuer subject days extensions...
  name=$1 issuer=$2 subject=$3 span=$4
  shift 4
  openssl req -new -key "$name-key.pem" -subj "$subject" -out "$name.csr"
  printf '%s\n' "basicConstraints=critical,CA:FALSE" "$@" > "$name.ext"
  openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer-key.pem" -CAcreateserial \
    -days "$span" -extfile "$name.ext" -out "$name.pem" 2>/dev/null
  rm "$name.csr" "$name.ext"
}

authority ca "Test Authority"
authority stranger "Another Authority"

ec a && issue a ca "/CN=a.example" "$days" "subjectAltName=DNS:a.example,DNS:*.wild.example"
ec b && issue b ca "/CN=b.example" "$days" "subjectAltName=DNS:b.example"
ec local && issue local ca "/CN=localhost" "$days" "subjectAltName=DNS:localhost,IP:127.0.0.1"
ec expired && issue expired ca "/CN=expired.example" -1 "subjectAltName=DNS:expired.example"
ec client && issue client ca "/O=Tests/CN=client one" "$days" "extendedKeyUsage=clientAuth"
ec nameless && issue nameless ca "/" "$days" "subjectAltName=URI:spiffe://tests/nameless,DNS:localhost"
ec intruder && issue intruder stranger "/CN=client one" "$days" "extendedKeyUsage=clientAuth"

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out a-rsa-key.pem 2>/dev/null
issue a-rsa ca "/CN=a.example" "$days" "subjectAltName=DNS:a.example"

# A certificate below an intermediate authority, with the chain in one file; the key has a passphrase.
ec inter
openssl req -new -key inter-key.pem -subj "/CN=Intermediate" -out inter.csr
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n' > inter.ext
openssl x509 -req -in inter.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days "$days" \
  -extfile inter.ext -out inter.pem 2>/dev/null
ec chained && issue chained inter "/CN=chained.example" "$days" "subjectAltName=DNS:chained.example"
cat chained.pem inter.pem > chained-full.pem
openssl pkcs8 -topk8 -in chained-key.pem -out chained-locked-key.pem -passout pass:open-sesame

rm -f ./*.srl inter.csr inter.ext inter-key.pem ca-key.pem stranger-key.pem chained-key.pem
