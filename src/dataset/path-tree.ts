/**
 * Paths by their steps. Paths that begin with the same steps share them, so that what lies above or below a
 * path is found by its own steps, however many other paths there are.
 */
export interface PathTree<T> {
  below: Map<string, PathTree<T>>
  /** What is known of the path that ends here. */
  here: T | undefined
}

export function pathTree<T>(): PathTree<T> {
  return { below: new Map(), here: undefined }
}

/** The place of a path below another, made when it is not there. */
export function placeBelow<T>(tree: PathTree<T>, steps: readonly string[]): PathTree<T> {
  let place = tree
  for (const step of steps) {
    const known = place.below.get(step)
    const next = known ?? pathTree<T>()
    if (known === undefined) place.below.set(step, next)
    place = next
  }
  return place
}
