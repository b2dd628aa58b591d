/** Passes all items on, each after something was told of it. */
export async function* tap<Item>(
  items: AsyncIterable<Item>,
  tell: (item: Item) => void,
): AsyncGenerator<Item> {
  for await (const item of items) {
    tell(item);
    yield item;
  }
}
