import { createImage, type Image, type ImageOptions } from "./image.ts";
import type { Lab } from "./lab.ts";
import { UPSTREAM } from "./upstream.ts";

/** An image at upstream. */
export interface Published {
  readonly image: Image;
  readonly repository: string;
  /** By tag. */
  readonly reference: string;
  /** By digest. */
  readonly digestReference: string;
}

/**
 * Makes an image and puts it into upstream's storage.
 *
 * @param name a repository, with a tag if it should not be `v1`; also the seed unless one is given.
 */
export async function publish(
  lab: Pick<Lab, "upstream">,
  name: string,
  options: Omit<ImageOptions, "seed"> & { readonly seed?: string },
): Promise<Published> {
  const [repository = "", tag = "v1"] = name.split(":");
  const image = createImage({ seed: name, ...options });
  await lab.upstream.add(image, repository, tag);
  return {
    image,
    repository,
    reference: `${UPSTREAM}/${repository}:${tag}`,
    digestReference: `${UPSTREAM}/${repository}@${image.root.digest}`,
  };
}
