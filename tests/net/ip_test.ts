import assert from "node:assert/strict";
import {
  bytesOf,
  canonicalIp,
  formatIp,
  ipOf,
  isLoopback,
  networkOf,
  Networks,
} from "../../lib/net/ip.ts";
import { test } from "../support/test.ts";

const FORMS: readonly (readonly [text: string, canonical: string])[] = [
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::FFFF:a00:1", "10.0.0.1"],
  ["0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"],
  ["::ffff:0:0", "0.0.0.0"],
  ["::8.8.8.8", "::808:808"],
  ["64:ff9b::8.8.8.8", "64:ff9b::808:808"],
  ["::ffff:0:8.8.8.8", "::ffff:0:808:808"],
  ["2001:DB8:0:0:1::1", "2001:db8::1:0:0:1"],
  ["2001:0db8::0001", "2001:db8::1"],
  ["fe80::1%eth0.7", "fe80::1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::", "::"],
];

test("ip: each address has one form, by which it is compared", () => {
  for (const [text, canonical] of FORMS) {
    assert.equal(canonicalIp(text), canonical, text);
    const bytes = bytesOf(canonical);
    assert(bytes !== undefined);
    assert.equal(canonicalIp(formatIp(bytes)), canonical, text);
  }
});

test("ip: other spellings, names and networks are no addresses", () => {
  const none = "127.1 010.0.0.1 0177.0.0.1 0x7f.0.0.1 2130706433 256.0.0.1 1:2 ::ffff:010.0.0.1 " +
    "10.0.0.1/8 [::1] localhost ::g";
  for (const text of ["", ...none.split(" ")]) {
    assert.equal(bytesOf(text), undefined, text);
    assert.equal(bytesOf(canonicalIp(text)), undefined, text);
    assert.equal(isLoopback(text), false, text);
    assert.equal(new Networks(["0.0.0.0/0", "::/0"]).has(text), false, text);
  }
});

test("ip: loopback", () => {
  const loopback = "127.0.0.1 127.8.9.10 ::1 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ::ffff:7f00:1";
  for (const text of loopback.split(" ")) assert.equal(isLoopback(text), true, text);
  for (const text of ["10.0.0.1", "::2", "fe80::1"]) assert.equal(isLoopback(text), false, text);
});

test("ip: what a socket for both families shows", () => {
  const shown = (hostname: string) => ipOf({ transport: "tcp", hostname, port: 1 });
  assert.equal(shown("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(shown("2001:db8::1"), "2001:db8::1");
  assert.equal(ipOf({ transport: "unix", path: "/run/eddy.sock" }), "");
});

test("ip: the network that an address is in", () => {
  const cases: readonly (readonly [address: string, length: number, network: string])[] = [
    ["10.42.3.7", 24, "10.42.3.0"],
    ["10.1.2.3", 20, "10.1.0.0"],
    ["10.1.255.3", 17, "10.1.128.0"],
    ["10.1.2.3", 32, "10.1.2.3"],
    ["10.1.2.3", 0, "0.0.0.0"],
    ["2001:db8:ffff::5", 33, "2001:db8:8000::"],
    ["2001:db8::ab", 96, "2001:db8::"],
  ];
  for (const [address, length, network] of cases) {
    assert.equal(formatIp(networkOf(bytesOf(address) ?? [], length)), network, address);
  }
});

test("ip: networks have the addresses of their family, mapped ones too", () => {
  const networks = new Networks(["10.42.0.0/24", "192.0.2.1", "fd00::/64"]);
  for (const ip of ["10.42.0.9", "::ffff:10.42.0.9", "192.0.2.1", "fd00::9", "fd00::9%eth0"]) {
    assert.equal(networks.has(ip), true, ip);
  }
  for (const ip of ["10.42.1.9", "192.0.2.2", "fd00:0:0:1::", "::10.42.0.9", "64:ff9b::a2a:9"]) {
    assert.equal(networks.has(ip), false, ip);
  }
  for (const none of ["", "x", "10/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "fd00::/129"]) {
    assert.equal(networks.add(none), false, none);
    assert.throws(() => new Networks([none]), TypeError);
  }
});
