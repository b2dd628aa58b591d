import { createCipheriv, createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Digest, digestOf } from "../../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../../lib/oci/media_type.ts";

const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
const PLATFORM = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const OTHER_PLATFORM = PLATFORM === "arm64" ? "amd64" : "arm64";

/** Content with its descriptor. */
export interface Blob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly content: Uint8Array;
}

/** An image: what a reference points to, and everything below it. */
export interface Image {
  readonly root: Blob;
  /** Every index and manifest, the root included. */
  readonly manifests: readonly Blob[];
  /** Configs and layers. */
  readonly blobs: readonly Blob[];
  /** What a node of this machine's platform has of it after a pull. */
  readonly pulled: readonly Blob[];
  /** Layers for this machine's platform. */
  readonly layers: readonly Blob[];
}

/** Settings of {@link createImage}. */
export interface ImageOptions {
  /** Images of different seeds share nothing; of the same seed and sizes, everything. */
  seed: string;
  /** Bytes of each file of each layer. */
  layerBytes: readonly number[];
  /** Seeds of the files of each layer, whose content depends on nothing else; default: one file. */
  fileSeeds?: readonly string[];
  /** Layers as plain tar instead of gzip, which takes long for large ones. Default false. */
  plain?: boolean;
  /** A program that its containers run, in a layer below the others that no other image shares. */
  program?: Uint8Array;
  /** An index above it that also names an image of another platform, which is never pulled. */
  index?: boolean;
  /** The manifest that this image is about, as a signature is. Default none. */
  subject?: Blob;
}

/** Makes a real image: each layer is a tar archive of files of reproducible random bytes. */
export function createImage(options: ImageOptions): Image {
  const mine = single(options, PLATFORM);
  if (options.index !== true) {
    const { manifest, config, layers } = mine;
    const blobs = [config, ...layers];
    return { root: manifest, manifests: [manifest], blobs, pulled: [manifest, ...blobs], layers };
  }
  const other = single({ ...options, seed: `${options.seed}/other` }, OTHER_PLATFORM);
  const root = document(OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [other, mine].map(({ manifest, architecture }) => ({
      ...descriptor(manifest),
      platform: { architecture, os: "linux" },
    })),
  });
  return {
    root,
    manifests: [root, mine.manifest, other.manifest],
    blobs: [mine, other].flatMap(({ config, layers }) => [config, ...layers]),
    pulled: [root, mine.manifest, mine.config, ...mine.layers],
    layers: mine.layers,
  };
}

interface Single {
  readonly architecture: string;
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layers: readonly Blob[];
}

function single(options: ImageOptions, architecture: string): Single {
  const { program, fileSeeds } = options;
  const programName = `run-${createHash("sha256").update(options.seed).digest("hex").slice(0, 8)}`;
  const archives = [
    ...program === undefined ? [] : [tar([{ name: programName, content: program, mode: 0o755 }])],
    ...options.layerBytes.map((bytes, index) =>
      tar(
        fileSeeds === undefined
          ? [{ name: `layer-${index}`, content: randomBytes(`${options.seed}/${index}`, bytes) }]
          : fileSeeds.map((seed, file) => ({
            name: `layer-${index}-${file}`,
            content: randomBytes(seed, bytes),
          })),
      )
    ),
  ];
  const layers = archives.map((archive) =>
    options.plain === true
      ? blob(OCI_LAYER, archive)
      : blob(`${OCI_LAYER}+gzip`, gzipSync(archive, { level: 1 }))
  );
  const config = document(OCI_CONFIG, {
    architecture,
    os: "linux",
    config: program === undefined ? {} : { Entrypoint: [`/${programName}`] },
    rootfs: { type: "layers", diff_ids: archives.map((archive) => digestOf(archive)) },
  });
  const manifest = document(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config),
    layers: layers.map(descriptor),
    ...(options.subject === undefined ? {} : { subject: descriptor(options.subject) }),
  });
  return { architecture, manifest, config, layers };
}

/** A file of an archive. */
interface ArchivedFile {
  readonly name: string;
  readonly content: Uint8Array;
  /** Default: readable by all. */
  readonly mode?: number;
}

/** An archive (POSIX.1-1988 "ustar" interchange format). */
function tar(files: readonly ArchivedFile[]): Uint8Array {
  const padded = (bytes: number) => Math.ceil(bytes / 512) * 512;
  const total = files.reduce((sum, { content }) => sum + 512 + padded(content.length), 1024);
  const archive = new Uint8Array(total);
  let at = 0;
  for (const file of files) {
    writeHeader(archive.subarray(at, at + 512), file);
    archive.set(file.content, at + 512);
    at += 512 + padded(file.content.length);
  }
  return archive;
}

function writeHeader(header: Uint8Array, { name, content, mode = 0o644 }: ArchivedFile): void {
  const encoder = new TextEncoder();
  const put = (offset: number, text: string) => header.set(encoder.encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, name);
  put(100, `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`);
  put(124, `${octal(content.length, 11)}\0${octal(0, 11)}\0`);
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\x0000");
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
}

/** Reproducible bytes that do not compress: AES in counter mode over zeros. */
export function randomBytes(seed: string, bytes: number): Uint8Array {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, new Uint8Array(16));
  const random = cipher.update(new Uint8Array(bytes));
  cipher.final();
  return random;
}

function document(mediaType: string, value: unknown): Blob {
  return blob(mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

function blob(mediaType: string, content: Uint8Array): Blob {
  return { mediaType, digest: digestOf(content), size: content.length, content };
}

function descriptor({ mediaType, digest, size }: Blob): Omit<Blob, "content"> {
  return { mediaType, digest, size };
}
