// Certificates for suites with TLS: an authority of their own and one server certificate, made by openssl.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Certificates {
  /** The authority's certificate, as text and as a file. */
  caPem: string;
  caFile: string;
  certFile: string;
  /** The server's key, PKCS #8, not encrypted. */
  keyFile: string;
}

/** Makes an authority and a certificate for `hosts` (names or addresses) in the folder `dir`. */
export async function makeCertificates(dir: string, hosts: readonly string[]): Promise<Certificates> {
  const file = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): Promise<unknown> => run("openssl", args);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  await openssl(
    ...["req", "-x509", ...curve, "-days", "2", "-subj", "/CN=weir test authority"],
    ...["-keyout", file("ca.key"), "-out", file("ca.pem")],
  );
  await openssl(
    ...["req", "-new", ...curve, "-subj", `/CN=${hosts[0]}`],
    ...["-keyout", file("server.key"), "-out", file("server.csr")],
  );
  const names = hosts.map((host) => `${isIP(host) === 0 ? "DNS" : "IP"}:${host}`).join(",");
  await writeFile(file("server.ext"), `subjectAltName=${names}\nbasicConstraints=CA:FALSE\n`);
  await openssl(
    ...["x509", "-req", "-in", file("server.csr"), "-days", "2", "-extfile", file("server.ext")],
    ...["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-out", file("server.pem")],
  );
  return {
    caPem: await readFile(file("ca.pem"), "utf8"),
    caFile: file("ca.pem"),
    certFile: file("server.pem"),
    keyFile: file("server.key"),
  };
}
