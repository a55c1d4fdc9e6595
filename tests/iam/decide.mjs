// Reads {account, policies, resourcePolicies, requests} as JSON and writes one decision for each request, in their order.
// Runs in the folder into which `make iam-simulator` installs the engine.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { runSimulation } = createRequire(`${process.cwd()}/`)("@cloud-copilot/iam-simulate");
const { account, policies, resourcePolicies, requests } = JSON.parse(readFileSync(0, "utf8"));

const isService = (principal) => principal.endsWith(".amazonaws.com");

const decide = async ([principal, action, resource, contextVariables, policyHolder]) => {
  const simulation = {
    request: { principal: isService(principal) ? principal : `arn:aws:iam::${account}:role/${principal}`, action,
      resource: { resource, accountId: account }, contextVariables },
    identityPolicies: policies[principal] ?? [],
    resourcePolicy: resourcePolicies[policyHolder],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
  const answer = await runSimulation(simulation, {});
  return answer.resultType === "single"
    ? { decision: answer.overallResult, ignored: answer.result.ignoredContextKeys ?? [] }
    : { decision: "Error", ignored: [], why: answer };
};

const decisions = [];
for (const each of requests) decisions.push(await decide(each));
process.stdout.write(JSON.stringify(decisions));
