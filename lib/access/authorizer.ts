import type { Credentials } from "../oci/credentials.ts";
import type { Digest } from "../oci/digest.ts";
import type { DistributionPath } from "../oci/path.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Access, AccessRequest, Admission, Outsider, PeerAdmission } from "../ports/access.ts";
import { admitNames } from "./admit_names.ts";
import { admitNode } from "./admit_node.ts";
import { admitUnproven } from "./admit_unproven.ts";
import { askUpstream } from "./ask_upstream.ts";
import type { AuthorizerCollaborators, AuthorizerOptions } from "./authorizer_settings.ts";
import { Grants } from "./grants.ts";
import { isOnlyOf, isPrivateElsewhere } from "./knowledge.ts";
import type { Question } from "./question.ts";
import { repositoryName } from "./repositories.ts";
import { UpstreamTags } from "./tags/upstream_tags.ts";

const SERVE: Admission = { type: "serve", verified: true };
const SERVE_UNVERIFIED: Admission = { type: "serve", verified: false };
/** The same for a tag about which upstream could not be asked. */
const UNASKED: Admission = { type: "serve", verified: false };
const LEFT: Admission = { type: "refuse", reason: "upstream-unasked" };
const CHALLENGE: Admission = { type: "challenge" };
const ABSENT: Admission = { type: "refuse", reason: "absent-upstream" };
const UNAUTHORIZED: Admission = { type: "refuse", reason: "unauthorized" };

/**
 * Lets upstream decide which clients may have which content and what a tag means, and remembers its
 * answers.
 */
export class Authorizer implements Access {
  readonly #collaborators: AuthorizerCollaborators;
  readonly #options: AuthorizerOptions;
  readonly #grants: Grants;
  readonly #tags: UpstreamTags;

  constructor(collaborators: AuthorizerCollaborators, options: AuthorizerOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#grants = new Grants(collaborators.clock, options.privateTtlMs);
    this.#tags = new UpstreamTags(collaborators, options.tagTtlMs);
  }

  /** {@inheritDoc Access.admit} */
  async admit(request: AccessRequest, options: Cancellable): Promise<Admission> {
    const { reference } = request.path;
    const { repositories, content, nodeCredentials } = this.#collaborators;
    // No other client makes this node ask upstream, or remember anything.
    if (!this.isLocalClient(request.clientAddress)) return UNAUTHORIZED;
    if (reference.digest) content.noteAsked(repositoryName(reference), reference.digest);
    const question: Question = {
      ...request,
      credentials: request.credentials ?? await nodeCredentials?.(reference),
      repository: repositoryName(reference),
      tagName: reference.digest === undefined ? formatReference(reference) : undefined,
    };
    const decided = await this.#decide(question, options);
    const isLeft = decided === UNASKED && request.isListing !== true;
    const admission = isLeft ? await this.#unasked(reference, options) : decided;
    const isPrivate = repositories.visibility(question.repository) === "private";
    return admission.type === "serve" && isPrivate ? { ...admission, entitled: true } : admission;
  }

  async #decide(question: Question, options: Cancellable): Promise<Admission> {
    const visibility = this.#collaborators.repositories.visibility(question.repository);
    if (question.suspectedPrivate && this.#options.auto && visibility !== "private") {
      return await this.#admitSuspected(question, options);
    }
    switch (visibility) {
      case "public":
        return await this.#admitPublic(question, options);
      case "private":
        return await this.#admitPrivate(question, options);
      case "unknown":
        return await this.#admitUnknown(question, options);
    }
  }

  /** {@inheritDoc Access.isLocalClient} */
  isLocalClient(address: string): boolean {
    return this.#collaborators.isLocalClient(address);
  }

  /** {@inheritDoc Access.admitPeer} */
  admitPeer(
    path: DistributionPath,
    digest: Digest,
    outsider: Outsider,
  ): PeerAdmission | Promise<PeerAdmission> {
    const { proven, stranger = false, arriving = false } = outsider;
    if (proven) return admitNode(this.#collaborators, path.reference, digest, outsider);
    if (stranger && this.#options.localOnly) return "refused-stranger";
    const asked = { path, digest, arriving };
    return admitUnproven(this.#collaborators, this.#collaborators.inquiries, asked);
  }

  /** {@inheritDoc Access.admitNames} */
  admitNames(repository: Reference, outsider: Outsider): PeerAdmission {
    return admitNames(this.#collaborators, this.#options, { repository, outsider });
  }

  /** {@inheritDoc Access.learn} */
  learn(reference: Reference, manifest: Uint8Array): void {
    this.#collaborators.content.claimManifest(repositoryName(reference), manifest);
  }

  async #admitPublic(question: Question, options: Cancellable): Promise<Admission> {
    const { path: { reference }, tagName } = question;
    if (reference.digest !== undefined) {
      return isPrivateElsewhere(this.#collaborators, question.repository, reference.digest)
        ? await this.#prove(question, options)
        : SERVE;
    }
    if (!this.#options.verifyTags) return SERVE_UNVERIFIED;
    const kept = this.#keptTag(tagName);
    if (kept !== undefined) return kept;
    const answer = await this.#ask(question, undefined, options);
    switch (answer.type) {
      case "found":
        return this.#found(question, answer.digest);
      case "missing":
        return ABSENT;
      case "denied":
        // It was public a moment ago, or its visibility is not checked.
        return this.#options.auto
          ? await this.#denied(question, options)
          : await this.#askShared(question, options);
      case "unavailable":
        return this.#unverified(question);
    }
  }

  /**
   * A tag of a repository that is private upstream and shared here: the credentials only serve to
   * resolve it.
   */
  async #askShared(question: Question, options: Cancellable): Promise<Admission> {
    const { credentials } = question;
    const answer = credentials && await this.#ask(question, credentials, options);
    return answer?.type === "found"
      ? this.#found(question, answer.digest)
      : this.#unverified(question);
  }

  async #admitUnknown(question: Question, options: Cancellable): Promise<Admission> {
    const { repositories } = this.#collaborators;
    const answer = await this.#ask(question, undefined, options);
    switch (answer.type) {
      case "found":
        repositories.learn(question.repository, "public");
        return this.#found(question, answer.digest);
      case "missing":
        if (answer.hidden) return await this.#denied(question, options);
        repositories.learn(question.repository, "absent");
        // Upstream may have removed content that nodes still hold.
        return question.tagName === undefined ? await this.#admitPublic(question, options) : ABSENT;
      case "denied":
        repositories.learn(question.repository, "private");
        return await this.#denied(question, options);
      case "unavailable": {
        // This is no outage, which would pass: upstream never said that the content is public.
        if (answer.reason === "misconfigured") return CHALLENGE;
        if (answer.reason === "forbidden") return UNAUTHORIZED;
        const { repository, path: { reference: { digest } } } = question;
        const secret = digest && isPrivateElsewhere(this.#collaborators, repository, digest);
        return secret ? UNAUTHORIZED : this.#unverified(question);
      }
    }
  }

  /**
   * A peer says that the content is private, and nothing here does: it is served only if upstream
   * gives it to anonymous clients, or to this client.
   */
  async #admitSuspected(question: Question, options: Cancellable): Promise<Admission> {
    const { repositories, content } = this.#collaborators;
    const { repository, tagName, credentials, path: { reference } } = question;
    const digest = tagName === undefined ? reference.digest : this.#tags.get(tagName);
    if (digest !== undefined && content.isProven(repository, digest)) {
      return tagName === undefined ? SERVE : { type: "serve", digest, verified: true };
    }
    const answer = await this.#ask(question, undefined, options);
    if (answer.type === "found") {
      repositories.learn(repository, "public");
      return this.#found(question, answer.digest);
    }
    if (answer.type === "denied") repositories.learn(repository, "private");
    if (answer.type !== "unavailable") return await this.#denied(question, options);
    return credentials === undefined ? CHALLENGE : this.#offline(question, credentials);
  }

  /** It is not public: the client's credentials decide. */
  async #denied(question: Question, options: Cancellable): Promise<Admission> {
    const { credentials } = question;
    return credentials === undefined
      ? CHALLENGE
      : await this.#askFor(question, credentials, options);
  }

  async #admitPrivate(question: Question, options: Cancellable): Promise<Admission> {
    const { repositories, content } = this.#collaborators;
    const { credentials, repository, path, tagName } = question;
    if (credentials === undefined) {
      if (!repositories.isDue(repository)) return CHALLENGE;
      const answer = await this.#ask(question, undefined, options);
      if (answer.type !== "found") {
        if (answer.type !== "unavailable") repositories.learn(repository, "private");
        return CHALLENGE;
      }
      repositories.learn(repository, "public");
      return this.#found(question, answer.digest);
    }
    if (this.#grants.isValid(credentials, repository)) {
      const { digest } = path.reference;
      if (digest !== undefined && content.isProven(repository, digest)) return SERVE;
      const kept = this.#keptTag(tagName);
      if (kept !== undefined) return kept;
    }
    return await this.#askFor(question, credentials, options);
  }

  /** Asks upstream with a client's credentials. */
  async #askFor(
    question: Question,
    credentials: Credentials,
    options: Cancellable,
  ): Promise<Admission> {
    const { repository } = question;
    const answer = await this.#ask(question, credentials, options);
    switch (answer.type) {
      case "found":
        this.#collaborators.repositories.learn(repository, "private");
        this.#grants.add(credentials, repository);
        return this.#found(question, answer.digest);
      case "missing":
        return CHALLENGE;
      case "denied":
        this.#grants.remove(credentials, repository);
        return CHALLENGE;
      case "unavailable":
        return this.#offline(question, credentials);
    }
  }

  /** Upstream cannot be asked about private content. */
  #offline(question: Question, credentials: Credentials): Admission {
    const { repository } = question;
    const { digest } = question.path.reference;
    const isLetIn = this.#grants.isValid(credentials, repository) ||
      (this.#options.allowOffline && this.#grants.wasValid(credentials, repository));
    const isOther = digest !== undefined && !isOnlyOf(this.#collaborators, repository, digest);
    return isLetIn && !isOther ? this.#unverified(question) : UNAUTHORIZED;
  }

  /**
   * Content that is private in another repository is served for this one only if upstream says that
   * it is here, too.
   */
  async #prove(question: Question, options: Cancellable): Promise<Admission> {
    const answer = await this.#ask(question, undefined, options);
    if (answer.type === "found") return this.#found(question, answer.digest);
    return answer.type === "unavailable" ? UNAUTHORIZED : await this.#denied(question, options);
  }

  #found({ repository, path, tagName }: Question, digest: Digest): Admission {
    this.#collaborators.content.prove(repository, path.reference.digest ?? digest);
    if (tagName === undefined) return SERVE;
    if (!this.#options.verifyTags) return SERVE_UNVERIFIED;
    this.#tags.set(tagName, digest);
    return { type: "serve", digest, verified: true };
  }

  #keptTag(tagName: string | undefined): Admission | undefined {
    const digest = tagName === undefined ? undefined : this.#tags.reuse(tagName);
    return digest && { type: "serve", digest, verified: true };
  }

  #unverified({ tagName }: Question): Admission {
    return tagName === undefined ? SERVE_UNVERIFIED : UNASKED;
  }

  /** A tag is served as nodes know it, unless the runtime can ask upstream. */
  async #unasked(reference: Reference, options: Cancellable): Promise<Admission> {
    const { leaves } = this.#collaborators;
    if (this.#options.verifyTags && await leaves?.(reference, options)) return LEFT;
    this.#tags.missed();
    return UNASKED;
  }

  async #ask({ path }: Question, credentials: Credentials | undefined, options: Cancellable) {
    return await askUpstream(this.#collaborators, { path, credentials }, options);
  }
}
