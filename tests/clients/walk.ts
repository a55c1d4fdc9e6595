// What a user of the generated TypeScript client does, typed. It is compiled beside the generated folder `generated`;
// the environment names the service and a business of its own.
import assert from "node:assert/strict";
import { client } from "./generated/client.gen.js";
import {
  createInventoryAdjustmentApiV1InventoryAdjustmentsPost as create,
  listInventoryAdjustmentsApiV1InventoryAdjustmentsGet as list,
  listInventoryLevelsApiV1InventoryLevelsGet as levels,
  reverseInventoryAdjustmentApiV1InventoryAdjustmentsIdReversalPost as reverse,
} from "./generated/sdk.gen.js";

const { BASE_URL, TOKEN, BUSINESS, VARIANT } = process.env as Record<"BASE_URL" | "TOKEN" | "BUSINESS" | "VARIANT", string>;
client.setConfig({ baseUrl: BASE_URL, auth: () => TOKEN });
const business = { "x-business-id": BUSINESS };

const adjust = (quantity_change: number, key: string) =>
  create({
    body: { variant_id: VARIANT, quantity_change, reason: "Counted" },
    headers: { ...business, "Idempotency-Key": key },
  });

const first = await adjust(10, "first");
assert.equal(first.response.status, 201);
assert.equal(first.data!.quantity_after, 10);

const again = await adjust(10, "first");
assert.deepEqual(again.data, first.data);
assert.equal(again.response.headers.get("idempotent-replayed"), "true");

const second = await adjust(-3, "second");

const refused = await adjust(-8, "third");
assert.equal(refused.response.status, 409);
const detail = refused.error!.detail;
// The code says which of the errors it is, so the compiler knows its facts.
if (Array.isArray(detail) || detail.code !== "insufficient_stock") throw new Error("another error");
assert.deepEqual([detail.quantity_on_hand, detail.quantity_change], [7, -8]);

const reversal = await reverse({
  path: { id: second.data!.id },
  body: { reason: "Counted wrong" },
  headers: business,
});
assert.deepEqual([reversal.data!.delta, reversal.data!.reverses], [3, second.data!.id]);

const found: string[] = [];
let cursor: string | null | undefined;
do {
  const query = { variant_id: VARIANT, limit: 1, ...(cursor ? { cursor } : {}) };
  const page = await list({ query, headers: business });
  found.push(...page.data!.data.map((row) => row.id));
  cursor = page.data!.next_cursor;
} while (cursor !== null);
assert.deepEqual(found, [reversal.data!.id, second.data!.id, first.data!.id]);

const onHand = async (as_of?: string) => {
  const page = await levels({ query: { variant_id: VARIANT, ...(as_of ? { as_of } : {}) }, headers: business });
  return page.data!.data[0]!.quantity;
};
assert.equal(await onHand(first.data!.created_at), 10);
assert.equal(await onHand(second.data!.created_at), 7);
assert.equal(await onHand(), 10);
console.log("walked");
